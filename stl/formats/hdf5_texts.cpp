#include "stl/formats/hdf5_texts.h"

#include <algorithm>
#include <cstring>

#include "stl/core/byte_order.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"

namespace stl::hdf5 {
namespace {

constexpr auto reference_tag = "stl: reference to a text";

/// A conversion from such a text, as the file has it, to opaque bytes of the same size: nothing to do.
herr_t keep_reference(hid_t from, hid_t to, H5T_cdata_t* state, std::size_t /*count*/, std::size_t /*stride*/,
                      std::size_t /*more*/, void* /*values*/, void* /*background*/, hid_t /*transfer*/) {
    if (state->command != H5T_CONV_INIT) return 0;
    state->need_bkg = H5T_BKG_NO;
    const bool ours = H5Tis_variable_str(from) > 0 && H5Tget_class(to) == H5T_OPAQUE &&
                      H5Tget_size(from) == H5Tget_size(to);
    return ours ? 0 : -1;
}

Handle reference_type(std::size_t bytes) {
    Handle type(H5Tcreate(H5T_OPAQUE, bytes), H5Tclose);
    H5Tset_tag(type.get(), reference_tag);
    static const bool registered = [&] {
        const Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
        H5Tset_size(text.get(), H5T_VARIABLE);
        return H5Tregister(H5T_PERS_SOFT, reference_tag, text.get(), type.get(), keep_reference) >= 0;
    }();
    static_cast<void>(registered);  // reading fails otherwise
    return type;
}

constexpr std::uint64_t aligned(std::uint64_t size) {
    return (size + 7) / 8 * 8;
}

}  // namespace

VariableTexts::VariableTexts(hid_t object) : object_(object) {
    const Handle file(H5Iget_file_id(object), H5Fclose);
    const Handle creation(H5Fget_create_plist(file.get()), H5Pclose);
    hsize_t user_block = 0;
    H5Pget_userblock(creation.get(), &user_block);
    H5Pget_sizes(creation.get(), &address_bytes_, &size_bytes_);
    base_ = user_block;
    reference_bytes_ = 4 + address_bytes_ + 4;
    file_ = std::make_unique<MappedFile>(file_of(object));
    if (address_bytes_ > 8 || size_bytes_ > 8) fail_damaged("addresses of more than 64 bits");
}

void VariableTexts::fail_damaged(const char* what) const {
    fail("{}: a text of variable length cannot be read: {}", file_->path().string(), what);
}

std::string VariableTexts::read_attribute() {
    std::vector<std::byte> reference(reference_bytes_);
    if (H5Aread(object_, reference_type(reference_bytes_).get(), reference.data()) < 0)
        fail_damaged(reason().c_str());
    return text(reference);
}

std::vector<std::string> VariableTexts::read_dataset(std::int64_t count) {
    // Chunks may be packed, but a text that is there has a heap entry of its own.
    const auto most = file_->bytes().size() * 64;
    if (static_cast<std::uint64_t>(count) > most) fail_damaged("more strings than fit in the file");
    require_memory(static_cast<std::uint64_t>(count) * (reference_bytes_ + sizeof(std::string)),
                   file_->path().string());
    std::vector<std::byte> references(static_cast<std::size_t>(count) * reference_bytes_);
    if (H5Dread(object_, reference_type(reference_bytes_).get(), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                references.data()) < 0) {
        fail_damaged(reason().c_str());
    }
    std::vector<std::string> texts;
    for (std::size_t at = 0; at < references.size(); at += reference_bytes_)
        texts.push_back(text(std::span(references).subspan(at, reference_bytes_)));
    return texts;
}

/// Length (4 bytes), address of the heap, number of the object in it (4 bytes).
std::string VariableTexts::text(std::span<const std::byte> reference) {
    const auto length = little_endian(reference.first(4));
    const auto address = little_endian(reference.subspan(4, address_bytes_));
    const auto number = little_endian(reference.last(4));
    if (length == 0) return "";
    const auto& objects = heap(address);
    const auto object = objects.find(number);
    if (object == objects.end()) fail_damaged("its heap has no such entry");
    if (length > object->second.size()) fail_damaged("it is longer than its heap entry");
    // Each text once: many references to a long one would fill the memory.
    given_ += length;
    if (given_ > file_->bytes().size()) fail_damaged("longer texts than the file has room for");
    const auto bytes = object->second.first(length);
    const auto end = std::ranges::find(bytes, std::byte{0});
    return {reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(end - bytes.begin())};
}

/// "GCOL", version 1, 3 bytes, size of it all; then entries: number (2 bytes), references (2), 4 bytes, size,
/// content; headers and contents are padded to 8 bytes; number 0 is what is free.
const VariableTexts::Objects& VariableTexts::heap(std::uint64_t address) {
    if (const auto known = heaps_.find(address); known != heaps_.end()) return known->second;
    const auto all = file_->bytes();
    const auto header = aligned(8 + size_bytes_);
    if (base_ > all.size() || address > all.size() - base_ || header > all.size() - base_ - address)
        fail_damaged("its heap lies beyond the file's end");
    auto rest = all.subspan(base_ + address);
    constexpr std::string_view signature("GCOL\x01", 5);
    if (std::memcmp(rest.data(), signature.data(), signature.size()) != 0)
        fail_damaged("its heap is damaged");
    const auto size = little_endian(rest.subspan(8, size_bytes_));
    if (size < header || size > rest.size()) fail_damaged("its heap lies beyond the file's end");
    // Heaps that overlap would be read over and over.
    parsed_ += size;
    if (parsed_ > 2 * all.size()) fail_damaged("its heaps overlap");
    rest = rest.first(size).subspan(header);
    Objects objects;
    while (rest.size() >= header) {
        const auto number = little_endian(rest.first(2));
        const auto bytes = little_endian(rest.subspan(8, size_bytes_));
        rest = rest.subspan(header);
        if (number == 0) break;
        if (bytes > rest.size()) fail_damaged("its heap is damaged");
        objects.emplace(number, rest.first(bytes));
        rest = rest.subspan(std::min<std::uint64_t>(aligned(bytes), rest.size()));
    }
    return heaps_.emplace(address, std::move(objects)).first->second;
}

}  // namespace stl::hdf5
