#include "stl/pickle/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/utf8.h"

namespace stl::pickle {
namespace {

constexpr std::size_t max_pickle = std::size_t{1} << 30;

bool starts_with(Bytes bytes, std::string_view start) {
    return bytes.size() >= start.size() && std::memcmp(bytes.data(), start.data(), start.size()) == 0;
}

using namespace std::string_view_literals;
constexpr std::string_view zip_magic = "PK\x03\x04";

/// The legacy format's first pickle, 0x1950a86a20f9469cfc6c, in protocols 1 to 5: a line of digits, or a LONG1
/// of ten bytes, in a frame from 4 on. (What torch writes in protocol 0 it cannot read itself.)
constexpr std::array legacy_magics{
    "L119547037146038801333356L\n."sv, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv,
    "\x80\x03\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv,
    "\x80\x04\x95\x0d\0\0\0\0\0\0\0\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv,
    "\x80\x05\x95\x0d\0\0\0\0\0\0\0\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv};

/// The bytes of that pickle; 0 if the file starts otherwise.
std::size_t legacy_magic_size(Bytes start) {
    for (const auto magic : legacy_magics) {
        if (starts_with(start, magic)) return magic.size();
    }
    return 0;
}

std::string_view text_at(const List& list, std::size_t index, const char* what) {
    const auto* text = index < list.items.size() ? list.items[index].as<std::string_view>() : nullptr;
    if (text == nullptr) fail("a storage without {}", what);
    return *text;
}

}  // namespace

bool TorchFile::looks_like_one(Bytes start) {
    return starts_with(start, zip_magic) || legacy_magic_size(start) > 0;
}

std::shared_ptr<TorchFile> TorchFile::open(const fs::path& path) {
    try {
        return std::make_shared<TorchFile>(path);
    } catch (const Error& error) {
        const std::string message = error.what();
        if (message.starts_with(path.string())) throw;
        fail("{}: {}", path.string(), message);
    }
}

TorchFile::TorchFile(const fs::path& path) : file_(path) {
    if (starts_with(file_.bytes(), zip_magic)) {
        read_zip();
    } else if (const auto size = legacy_magic_size(file_.bytes()); size > 0) {
        read_legacy(size);
    } else {
        fail("not a file of torch.save");
    }
    arena_.for_each<Tensor>([this](const Tensor& tensor) { check_tensor(tensor); });
}

// ---- zip: <name>/data.pkl, <name>/data/0, <name>/data/1, ...

void TorchFile::read_zip() {
    zip_.emplace(file_.bytes());
    constexpr std::string_view pickle_name = "data.pkl";
    const auto pickle = std::ranges::find_if(zip_->entries(), [&](const ZipEntry& entry) {
        const auto slash = entry.name.find('/');
        return entry.name.substr(slash == std::string_view::npos ? 0 : slash + 1) == pickle_name;
    });
    if (pickle == zip_->entries().end()) {
        const bool exported = std::ranges::any_of(zip_->entries(), [](const ZipEntry& entry) {
            return entry.name.ends_with("archive_format") ||
                   entry.name.find("exported_program") != entry.name.npos;
        });
        if (exported) fail("a program of torch.export, expected a checkpoint of torch.save");
        fail("a zip file without data.pkl: not written by torch.save");
    }
    prefix_ = pickle->name.substr(0, pickle->name.size() - pickle_name.size());
    if (zip_->find(prefix_ + "constants.pkl") != nullptr) {
        fail("a TorchScript program, expected a checkpoint of torch.save");
    }
    std::vector<std::byte> buffer;
    if (const auto* order = zip_->find(prefix_ + "byteorder")) {
        if (!starts_with(zip_->read(*order, buffer), "little"))
            fail("numbers in another byte order than little endian");
    }
    if (pickle->size > max_pickle) fail("a pickle of {}", bytes_text(pickle->size));
    const auto bytes = zip_->read(*pickle, pickle_);
    std::size_t position = 0;
    root_ = read_pickle(bytes, position);
}

Value TorchFile::read_pickle(Bytes bytes, std::size_t& position) {
    Machine machine(arena_, bytes.subspan(position), [this](const List& id) { return storage_of(id); });
    const auto value = machine.run();
    position += machine.position();
    return value;
}

// ---- legacy: pickles of magic number, protocol, system, the content and the list of storage keys, then for
// each key the number of elements (8 bytes) and the elements.

void TorchFile::read_legacy(std::size_t position) {
    const auto bytes = file_.bytes();
    const auto protocol = read_pickle(bytes, position);
    if (to_integer(protocol, "the format's version") != 1001) fail("a legacy file of an unknown version");
    const auto system = read_pickle(bytes, position);
    if (const auto* little = system.find("little_endian").as<bool>(); little && !*little) {
        fail("numbers in another byte order than little endian");
    }
    root_ = read_pickle(bytes, position);
    const auto keys = read_pickle(bytes, position);
    const auto* list = keys.as<List>();
    if (list == nullptr) fail("{} where the list of storages was expected", keys.describe());
    place_legacy_storages(position, *list);
}

void TorchFile::place_legacy_storages(std::size_t position, const List& keys) {
    const auto rest = [&] { return file_.bytes().size() - position; };
    for (std::size_t i = 0; i < keys.items.size(); ++i) {
        const auto found = index_.find(std::string(text_at(keys, i, "a key")));
        if (found == index_.end()) fail("a storage that no tensor uses");
        auto& storage = storages_[found->second];
        if (storage.placed) fail("a storage that is listed twice");
        std::int64_t count = 0;
        if (rest() < sizeof count) fail("truncated: {} of {} storages are there", i, keys.items.size());
        std::memcpy(&count, file_.bytes().data() + position, sizeof count);
        position += sizeof count;
        const auto size = storage.size;
        if (count < 0 || static_cast<std::uint64_t>(count) != storage.count) {
            fail("a storage of {} elements where {} were announced", count, storage.count);
        }
        if (size > rest())
            fail("truncated: a storage of {}, {} are left", bytes_text(size), bytes_text(rest()));
        storage.bytes = file_.bytes().subspan(position, size);
        storage.placed = true;
        position += size;
    }
    const auto missing =
        std::ranges::count_if(storages_, [](const Storage& storage) { return !storage.placed; });
    if (missing > 0) fail("{} storages are missing", missing);
}

// ---- storages

/// id: ('storage', type, key, location, count), in the legacy format also (view key, offset, count) or None.
StorageView TorchFile::storage_of(const List& id) {
    if (text_at(id, 0, "a kind") != "storage") fail("a persistent id that is not a storage");
    const auto* type = id.items.size() > 1 ? id.items[1].as<Global>() : nullptr;
    if (type == nullptr) fail("a storage without a type");
    if (type->role != Role::storage_type)
        fail("a storage of type {}.{}, which is not supported", printable(type->module),
             printable(type->name));
    const auto key = text_at(id, 2, "a key");
    const auto count = id.items.size() > 4 ? to_integer(id.items[4], "a storage's size") : -1;
    const auto element = static_cast<std::int64_t>(dtype_size(type->dtype));
    std::int64_t size = 0;
    if (count < 0 || __builtin_mul_overflow(count, element, &size)) fail("a storage of {} elements", count);
    StorageView view{storage_index(key, static_cast<std::uint64_t>(size), static_cast<std::uint64_t>(count)),
                     type->dtype, 0, count};
    if (id.items.size() > 5 && !id.items[5].is_none()) {
        const auto* part = id.items[5].as<List>();
        if (part == nullptr || part->items.size() != 3)
            fail("a storage's view is {}", id.items[5].describe());
        view.offset = to_integer(part->items[1], "a view's offset");
        view.count = to_integer(part->items[2], "a view's size");
        if (view.offset < 0 || view.count < 0 || view.offset > count || view.count > count - view.offset) {
            fail("a view of {} elements at {} in a storage of {}", view.count, view.offset, count);
        }
    }
    return view;
}

std::uint32_t TorchFile::storage_index(std::string_view key, std::uint64_t size, std::uint64_t count) {
    const auto [place, fresh] =
        index_.emplace(std::string(key), static_cast<std::uint32_t>(storages_.size()));
    if (!fresh) {
        if (storages_[place->second].size != size) fail("one storage of two sizes");
        return place->second;
    }
    Storage storage;
    storage.size = size;
    storage.count = count;
    if (zip_) {
        storage.entry = zip_->find(prefix_ + "data/" + std::string(key));
        if (storage.entry == nullptr) fail("a storage is missing in the file");
        if (storage.entry->size < size) {
            fail("a storage of {} where {} were announced", bytes_text(storage.entry->size),
                 bytes_text(size));
        }
    }
    storages_.push_back(std::move(storage));
    return place->second;
}

void TorchFile::check_tensor(const Tensor& tensor) const {
    const auto elements =
        static_cast<std::int64_t>(storages_[tensor.storage].size / dtype_size(tensor.dtype));
    const auto count = element_count(tensor.shape, "a tensor");
    std::int64_t last = tensor.offset;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        std::int64_t step = 0;
        if (tensor.strides[i] < 0) fail("a tensor with strides {}", to_string(tensor.strides));
        if (tensor.shape[i] > 0 && (__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &step) ||
                                    __builtin_add_overflow(last, step, &last))) {
            fail("a tensor with impossible strides {}", to_string(tensor.strides));
        }
    }
    if (count == 0) return;
    if (last >= elements) {
        fail("a tensor {} reaches beyond its storage of {} elements", to_string(tensor.shape), elements);
    }
    // A view may repeat its storage (expand), but a small file must not stand for huge tensors.
    constexpr std::int64_t harmless = std::int64_t{1} << 24;
    if (count > elements && count > harmless) {
        fail("a tensor {} in a storage of {} elements", to_string(tensor.shape), elements);
    }
}

void TorchFile::prepare(Storage& storage) const {
    if (zip_) storage.bytes = zip_->read(*storage.entry, storage.inflated);
    constexpr std::size_t alignment = 16;
    if (storage.bytes.empty() || reinterpret_cast<std::uintptr_t>(storage.bytes.data()) % alignment == 0)
        return;
    require_memory(storage.bytes.size(), "an unaligned storage");
    storage.aligned = std::make_unique_for_overwrite<std::byte[]>(storage.bytes.size());
    std::ranges::copy(storage.bytes, storage.aligned.get());
    storage.bytes = {storage.aligned.get(), storage.bytes.size()};
}

std::vector<std::string> TorchFile::unknown_names() const {
    std::vector<std::string> names;
    std::set<std::pair<std::string_view, std::string_view>> seen;
    arena_.for_each<Global>([&](const Global& global) {
        if (global.role == Role::unknown && seen.emplace(global.module, global.name).second)
            names.push_back(printable(global.module) + "." + printable(global.name));
    });
    return names;
}

Bytes TorchFile::storage(const Tensor& tensor) {
    auto& storage = storages_[tensor.storage];
    if (storage.ready) return storage.bytes;
    try {
        prepare(storage);
    } catch (const Error& error) {
        fail("{}: {}", path().string(), error.what());
    }
    storage.ready = true;
    return storage.bytes;
}

}  // namespace stl::pickle
