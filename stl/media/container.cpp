#include "stl/media/container.h"

#include <vector>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"

namespace stl {

int checked(int code, const fs::path& path) {
    ffmpeg::check_memory(code, path);
    if (code >= 0) return code;
    const auto reason = ffmpeg::complaint(code);
    if (ffmpeg::is_shortage(code))
        throw Shortage(fmt::format("{}: cannot be read ({})", path.string(), reason));
    fail("{}: not a video that can be read ({}){}", path.string(), reason, kind_hint(path));
}

ffmpeg::Input open_container(InputFile& file, const fs::path& path, std::int64_t max_pixels,
                             ffmpeg::Complaints& complaints) {
    int code = 0;
    ffmpeg::Input input = file.open(code);
    checked(code, path);
    input->opaque = &complaints;
    // Probing decodes frames already, so the limit has to hold there too; one dictionary a stream.
    std::vector<AVDictionary*> probing(input->nb_streams, nullptr);
    for (auto& dict : probing) av_dict_set_int(&dict, "max_pixels", max_pixels, 0);
    code = avformat_find_stream_info(input.get(), probing.empty() ? nullptr : probing.data());
    for (auto& dict : probing) av_dict_free(&dict);
    file.check();
    checked(code, path);
    return input;
}

}  // namespace stl
