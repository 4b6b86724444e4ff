/* Predictions of a trained network, for C and for every language that can call C.
 *
 *     stl_model *model;
 *     if (stl_open("runs/mmnist-gsta", NULL, &model) != STL_OK) return fail(stl_last_error());
 *     stl_info info = {.size = sizeof info};
 *     stl_get_info(model, &info);
 *     ... stl_predict(model, frames, frames_count, 0, prediction, prediction_count) ...
 *     stl_free(model);
 *
 * Nothing here prints, ends the process, or sets its environment, signal handlers or number of threads. Different threads
 * may use different models at the same time; one model is for one thread at a time. Text is UTF-8 and ends in a null.
 * docs/library.md says what later versions keep. */
#ifndef STL_H
#define STL_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define STL_API __attribute__((visibility("default")))
#else
#define STL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return. Later versions may add further errors. */
typedef enum stl_status {
    STL_OK = 0,
    STL_FAILED = 1,           /* a file, a checkpoint, a device: stl_last_error() says what */
    STL_INVALID_ARGUMENT = 2, /* the call itself is wrong: a null pointer, a number of values */
    STL_OUT_OF_MEMORY = 3     /* of the CPU or a GPU; fewer inputs in one call may fit */
} stl_status;

/* A trained network, loaded. */
typedef struct stl_model stl_model;

/* How to load a network. Set everything to zero, then `size` and what is to differ. */
typedef struct stl_options {
    size_t size;         /* sizeof(stl_options) */
    const char* device;  /* "cpu", "cuda", "cuda:1", ...; "auto" (default): a GPU if there is a usable one */
    const char* weights; /* of a run: "last" (default) or "best" */
    const char* precision; /* "fp32" (default), "tf32", "bf16" or "fp16" */
    const char* model;     /* file: a model or experiment .json, for a checkpoint without its configuration */
    int threads; /* CPU threads of a prediction; 0 (default): as many as OpenMP has for the calling thread */
    int height,
        width; /* of frames, in pixels, where they are not to be those that the network was trained on */
    /* Called, in stl_open() and stl_predict(), with each line of information or warning. Default: they are dropped. */
    void (*message)(void* context, const char* line);
    void* context; /* is passed to message() */
} stl_options;

/* What a network takes and gives. Set `size`; later versions may add members. */
typedef struct stl_info {
    size_t size;           /* sizeof(stl_info) */
    int64_t input_frames;  /* T: frames of an input */
    int64_t output_frames; /* frames of a prediction, as trained; stl_predict() can be asked for others */
    int64_t channels;      /* C */
    int64_t height;        /* H, pixels */
    int64_t width;         /* W, pixels */
    int64_t parameters;    /* how many numbers were trained */
    double frame_rate;     /* frames per second of the training data; 0: not known */
    double black,
        white; /* the values of the training data that stand for them; 0 and 1 where that is not known */
} stl_info;

/* "0.1.0" */
STL_API const char* stl_version(void);

/* What went wrong in this thread's last call that failed: one line, valid until this thread's next call that fails; "" if
 * none did. */
STL_API const char* stl_last_error(void);

/* Loads the network of `source`, a run's folder or a checkpoint (FILE or FILE:KEY). options: NULL for the defaults.
 * model: set to the network, which stl_free() frees; to NULL on an error. */
STL_API stl_status stl_open(const char* source, const stl_options* options, stl_model** model);

/* Frees a network; NULL is allowed. */
STL_API void stl_free(stl_model* model);

STL_API stl_status stl_get_info(const stl_model* model, stl_info* info);

/* Predicts the frames that follow.
 * input: [N, T, C, H, W], N inputs one after the other; input_values: N * T * C * H * W.
 * output: [N, frames, C, H, W]; output_values: N * frames * C * H * W. It must not overlap the input.
 * frames: how many to predict; 0: info.output_frames. More than the network gives at once are predicted from its own
 * predictions.
 * Values are those of the training data as stored, of pictures usually 0 to 1; predictions are not clipped. On an error,
 * what `output` holds is undefined. */
STL_API stl_status stl_predict(stl_model* model, const float* input, size_t input_values, int64_t frames,
                               float* output, size_t output_values);

/* The same with frames as 8-bit pictures, row after row, gray or with the channels of a pixel side by side (RGB):
 * input: [N, T, H, W, C], output: [N, frames, H, W, C]. 0 is black and 255 white; predictions are clipped and rounded. */
STL_API stl_status stl_predict_bytes(stl_model* model, const uint8_t* input, size_t input_values,
                                     int64_t frames, uint8_t* output, size_t output_values);

#ifdef __cplusplus
}
#endif

#endif
