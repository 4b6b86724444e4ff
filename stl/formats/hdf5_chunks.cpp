#include "stl/formats/hdf5_chunks.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "stl/core/error.h"
#include "stl/core/memory.h"

namespace stl::hdf5 {
namespace {

constexpr std::size_t kept_bytes = 32 << 20;

/// The pipeline's filters in order of writing; empty for one that isn't ours to undo.
std::vector<H5Z_filter_t> read_filters(hid_t creation) {
    std::vector<H5Z_filter_t> filters;
    const int count = H5Pget_nfilters(creation);
    for (int i = 0; i < count; ++i) {
        unsigned flags = 0;
        std::size_t values = 0;
        unsigned config = 0;
        const auto filter =
            H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &config);
        const bool checksum = filter == H5Z_FILTER_FLETCHER32 && i + 1 == count;  // of what is stored
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && !checksum) return {};
        filters.push_back(filter);
    }
    return filters;
}

/// Undoes HDF5's byte shuffle: all first bytes of the elements, then all second bytes, ...
template <class Bytes>
Bytes unshuffle(const Bytes& shuffled, std::size_t element) {
    Bytes values(shuffled.size());
    const std::size_t count = shuffled.size() / element;
    for (std::size_t b = 0; b < element; ++b) {
        for (std::size_t i = 0; i < count; ++i) values[i * element + b] = shuffled[b * count + i];
    }
    std::copy(shuffled.begin() + static_cast<std::ptrdiff_t>(count * element), shuffled.end(),
              values.begin() + static_cast<std::ptrdiff_t>(count * element));
    return values;
}

// Vectors of the compiler's, which become whatever the processor has.
using Words [[gnu::vector_size(16)]] = std::uint16_t;
using Sums [[gnu::vector_size(32)]] = std::uint32_t;

/// HDF5's: the sum of 16-bit words, big-endian, and the sum of all such sums on the way, both modulo 2^16 - 1 (where
/// nothing but a sum of zeros is 0). Words are summed in lanes: a word of lane j in a group of as many words counts in
/// the second sum once for itself and once for each word after it, of its own lane and of the others.
#if defined(__x86_64__)
__attribute__((target_clones("avx2", "default")))
#endif
std::uint32_t
fletcher32(std::span<const std::byte> bytes) {
    constexpr std::size_t width = 8, vectors = 4, lanes = width * vectors, groups_without_overflow = 360;
    const auto fold = [](std::uint64_t value) { return value == 0 ? 0 : (value - 1) % 0xffff + 1; };
    const auto word = [&](std::size_t i) {
        return std::to_integer<std::uint32_t>(bytes[i]) << 8 | std::to_integer<std::uint32_t>(bytes[i + 1]);
    };
    std::uint64_t sum = 0, sums = 0;
    while (bytes.size() >= 2 * lanes) {
        const auto groups = std::min(bytes.size() / (2 * lanes), groups_without_overflow);
        std::array<Sums, vectors> lane{}, lane_sums{};
        for (std::size_t g = 0; g < groups; ++g) {
            for (std::size_t v = 0; v < vectors; ++v) {
                Words words;
                std::memcpy(&words, bytes.data() + 2 * lanes * g + v * sizeof words, sizeof words);
                lane[v] += __builtin_convertvector(words << 8 | words >> 8, Sums);
                lane_sums[v] += lane[v];
            }
        }
        sums += lanes * groups * sum;
        for (std::size_t j = 0; j < lanes; ++j) {
            const std::uint64_t of_lane = lane[j / width][j % width];
            sum += of_lane;
            sums += lanes * std::uint64_t{lane_sums[j / width][j % width]} - j * of_lane;
        }
        sum = fold(sum);
        sums = fold(sums);
        bytes = bytes.subspan(2 * lanes * groups);
    }
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        sum += i + 1 < bytes.size() ? word(i) : std::to_integer<std::uint32_t>(bytes[i]) << 8;
        sums += sum;
    }
    return static_cast<std::uint32_t>(fold(sums) << 16 | fold(sum));
}

/// Whether the last four bytes are the checksum of those before. HDF5 before 1.6.3 swapped its bytes in pairs.
bool checksum_holds(std::span<const std::byte> bytes) {
    if (bytes.size() < 4) return false;
    const auto sum = fletcher32(bytes.first(bytes.size() - 4));
    const auto swapped = (sum & 0x00ff00ff) << 8 | (sum >> 8 & 0x00ff00ff);
    std::uint32_t stored = 0;
    for (const auto byte : bytes.last(4)) stored = stored >> 8 | std::to_integer<std::uint32_t>(byte) << 24;
    return stored == sum || stored == swapped;
}

std::uint64_t bytes_of(Shape shape, std::size_t element, const std::string& where) {
    shape.push_back(static_cast<std::int64_t>(element));
    return static_cast<std::uint64_t>(element_count(shape, where));
}

}  // namespace

std::uint32_t chunk_checksum(std::span<const std::byte> bytes) {
    return fletcher32(bytes);
}

void require_reasonable_chunks(hid_t dataset, const std::string& where) {
    const Handle creation(H5Dget_create_plist(dataset), H5Pclose), type(H5Dget_type(dataset), H5Tclose);
    const auto all = dataset_shape(dataset);
    std::vector<hsize_t> sizes(all.size());
    if (H5Pget_chunk(creation.get(), static_cast<int>(sizes.size()), sizes.data()) != std::ssize(all))
        fail("{}: damaged chunk sizes", where);
    const auto element = H5Tget_size(type.get());
    const auto chunk = bytes_of({sizes.begin(), sizes.end()}, element, where + ": chunk");
    if (chunk == 0) fail("{}: damaged: chunks of size 0", where);
    // As stored, unpacked, and shuffled before that.
    require_memory(3 * chunk, where + ": one chunk");
    // Of a dataset that can grow a chunk may hold more than all values there are, but not without bounds.
    constexpr std::uint64_t always_fits = 64 << 20;
    const auto whole = bytes_of(all, element, where);
    if (chunk > std::max(always_fits, 4 * whole))
        fail("{}: damaged: chunks of {} for only {} of values", where, bytes_text(chunk), bytes_text(whole));
}

std::unique_ptr<ChunkReader> ChunkReader::make(hid_t dataset, const std::string& where) {
    const Handle creation(H5Dget_create_plist(dataset), H5Pclose);
    if (H5Pget_layout(creation.get()) != H5D_CHUNKED) return nullptr;
    const Handle type(H5Dget_type(dataset), H5Tclose);
    const auto element = H5Tget_size(type.get());
    auto filters = read_filters(creation.get());
    unsigned options = 0;
    H5Pget_chunk_opts(creation.get(), &options);
    if (element == 0 || filters.empty() || options != 0) return nullptr;

    std::unique_ptr<ChunkReader> reader(new ChunkReader);
    std::array<hsize_t, H5S_MAX_RANK> sizes{};
    const int rank = H5Pget_chunk(creation.get(), H5S_MAX_RANK, sizes.data());
    reader->chunk_size_.assign(sizes.begin(), sizes.begin() + rank);
    reader->chunk_bytes_ = bytes_of({sizes.begin(), sizes.begin() + rank}, element, where + ": chunk");
    H5D_fill_value_t fill = H5D_FILL_VALUE_DEFAULT;
    H5Pfill_value_defined(creation.get(), &fill);
    if (fill == H5D_FILL_VALUE_USER_DEFINED) {
        reader->fill_.resize(element);
        if (H5Pget_fill_value(creation.get(), type.get(), reader->fill_.data()) < 0)
            fail("{}: its fill value cannot be read ({})", where, reason());
    }
    reader->dataset_ = dataset;
    reader->where_ = where;
    reader->element_ = element;
    reader->filters_ = std::move(filters);
    return reader;
}

void ChunkReader::read(std::span<const hsize_t> start, std::span<const hsize_t> size, std::byte* out) const {
    if (is_one_chunk(start, size)) {
        const auto values = load({start.begin(), start.end()});
        std::memcpy(out, values.data(), values.size());
        return;
    }
    const std::size_t rank = chunk_size_.size();
    Position first(rank);
    Position at(rank);
    for (std::size_t d = 0; d < rank; ++d) at[d] = first[d] = start[d] / chunk_size_[d] * chunk_size_[d];
    for (;;) {
        copy_overlap(*chunk(at), at, start, size, out);
        std::size_t d = rank;
        while (d > 0) {
            --d;
            at[d] += chunk_size_[d];
            if (at[d] < start[d] + size[d]) break;
            at[d] = first[d];
            if (d == 0) return;
        }
    }
}

bool ChunkReader::is_one_chunk(std::span<const hsize_t> start, std::span<const hsize_t> size) const {
    for (std::size_t d = 0; d < chunk_size_.size(); ++d) {
        if (start[d] % chunk_size_[d] != 0 || size[d] != chunk_size_[d]) return false;
    }
    return true;
}

std::string ChunkReader::slow_at_random(std::span<const std::int64_t> shape) const {
    std::size_t chunks = 1, of_a_row = 1;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        const auto along = (static_cast<std::size_t>(shape[d]) + chunk_size_[d] - 1) / chunk_size_[d];
        chunks *= along;
        if (d > 0) of_a_row *= along;
    }
    const auto rows = chunk_size_.front();
    constexpr std::size_t few_rows = 4;  // as many are unpacked for one
    if (rows <= few_rows || chunks <= of_a_row || chunks * chunk_bytes_ <= kept_bytes) return "";
    return fmt::format(
        "{}: compressed in chunks of {} sequences ({:.0f} MB), so that reading in random order unpacks all "
        "of "
        "them for each sequence; stl import makes a file that is fast to read",
        where_, rows, static_cast<double>(of_a_row * chunk_bytes_) / 1e6);
}

std::shared_ptr<const ChunkReader::Bytes> ChunkReader::chunk(const Position& offset) const {
    const auto same = [&](const auto& entry) { return entry.first == offset; };
    {
        const std::lock_guard guard(mutex_);
        if (const auto it = std::ranges::find_if(kept_, same); it != kept_.end()) {
            kept_.splice(kept_.begin(), kept_, it);
            return it->second;
        }
    }
    auto loaded = std::make_shared<const Bytes>(load(offset));
    if (chunk_size_.front() > 1) {
        const std::lock_guard guard(mutex_);
        kept_.emplace_front(offset, loaded);
        // One at least, however large: rows that follow each other are in it.
        if (kept_.size() > 1 && kept_.size() * chunk_bytes_ > kept_bytes) kept_.pop_back();
    }
    return loaded;
}

ChunkReader::Bytes ChunkReader::load(const Position& offset) const {
    Bytes packed;
    unsigned skipped = 0;
    {
        const Lock lock;
        hsize_t bytes = 0;
        if (H5Dget_chunk_storage_size(dataset_, offset.data(), &bytes) < 0) bytes = 0;  // never written
        if (bytes > 0) {
            // Deflate adds little to what it cannot pack.
            if (bytes > chunk_bytes_ + chunk_bytes_ / 8 + 1024) {
                fail("{}: damaged chunk ({} for {} of values)", where_, bytes_text(bytes),
                     bytes_text(chunk_bytes_));
            }
            packed.resize(bytes);
            if (H5Dread_chunk(dataset_, H5P_DEFAULT, offset.data(), &skipped, packed.data()) < 0) {
                fail("{}: a chunk cannot be read ({})", where_, reason());
            }
        }
    }
    if (!packed.empty()) return unpack(std::move(packed), skipped);
    // All chunks were counted when the dataset was opened: the index that says where they are must be damaged.
    if (fill_.empty()) fail("{}: a chunk is missing", where_);
    Bytes values(chunk_bytes_);
    for (std::size_t i = 0; i < values.size(); i += element_)
        std::ranges::copy(fill_, values.begin() + static_cast<std::ptrdiff_t>(i));
    return values;
}

ChunkReader::Bytes ChunkReader::unpack(Bytes packed, unsigned skipped_filters) const {
    for (std::size_t i = filters_.size(); i-- > 0;) {
        if ((skipped_filters >> i & 1U) != 0) continue;
        if (filters_[i] == H5Z_FILTER_SHUFFLE) {
            if (element_ > 1) packed = unshuffle(packed, element_);
            continue;
        }
        if (filters_[i] == H5Z_FILTER_FLETCHER32) {
            if (!checksum_holds(packed)) fail("{}: damaged chunk (checksum)", where_);
            packed.resize(packed.size() - 4);
            continue;
        }
        Bytes values(chunk_bytes_);
        auto size = static_cast<uLongf>(values.size());
        if (uncompress(reinterpret_cast<Bytef*>(values.data()), &size,
                       reinterpret_cast<const Bytef*>(packed.data()),
                       static_cast<uLong>(packed.size())) != Z_OK ||
            size != values.size()) {
            fail("{}: damaged chunk (deflate)", where_);
        }
        packed = std::move(values);
    }
    if (packed.size() != chunk_bytes_) {
        fail("{}: damaged chunk ({} of {} bytes)", where_, packed.size(), chunk_bytes_);
    }
    return packed;
}

void ChunkReader::copy_overlap(const Bytes& chunk, const Position& offset, std::span<const hsize_t> start,
                               std::span<const hsize_t> size, std::byte* out) const {
    const std::size_t rank = chunk_size_.size();
    Position low(rank);
    Position high(rank);
    for (std::size_t d = 0; d < rank; ++d) {
        low[d] = std::max(start[d], offset[d]);
        high[d] = std::min(start[d] + size[d], offset[d] + chunk_size_[d]);
    }
    const std::size_t run = (high.back() - low.back()) * element_;
    for (Position at = low;;) {
        hsize_t from = 0;
        hsize_t to = 0;
        for (std::size_t d = 0; d < rank; ++d) {
            from = from * chunk_size_[d] + (at[d] - offset[d]);
            to = to * size[d] + (at[d] - start[d]);
        }
        std::memcpy(out + to * element_, chunk.data() + from * element_, run);
        std::size_t d = rank - 1;
        while (d > 0 && ++at[d - 1] == high[d - 1]) {
            at[d - 1] = low[d - 1];
            --d;
        }
        if (d == 0) return;
    }
}

}  // namespace stl::hdf5
