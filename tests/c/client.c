/* client SOURCE INPUT OUTPUT: predicts from raw float32 values in a file, and tells what the network is. */
#include <stdio.h>
#include <stdlib.h>

#include <stl.h>

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, stl_last_error());
    return 1;
}

static void show(void *context, const char *line) {
    fprintf(context, "%s\n", line);
}

static int predict(stl_model *model, FILE *in, FILE *out) {
    stl_info info = {.size = sizeof info};
    if (stl_get_info(model, &info) != STL_OK) return failed("info");
    const size_t frame = (size_t)(info.channels * info.height * info.width);
    const size_t values = (size_t)info.input_frames * frame, predicted = (size_t)info.output_frames * frame;
    printf("%ld frames of %ld x %ld x %ld, then %ld\n", (long)info.input_frames, (long)info.channels, (long)info.height,
           (long)info.width, (long)info.output_frames);
    float *input = malloc(values * sizeof *input), *prediction = malloc(predicted * sizeof *prediction);
    int status = 1;
    if (input == NULL || prediction == NULL || fread(input, sizeof *input, values, in) != values)
        fputs("input: too short\n", stderr);
    else if (stl_predict(model, input, values, 0, prediction, predicted) != STL_OK)
        failed("predict");
    else
        status = fwrite(prediction, sizeof *prediction, predicted, out) != predicted;
    free(input);
    free(prediction);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    const stl_options options = {.size = sizeof options, .device = "cpu", .threads = 1, .message = show, .context = stderr};
    stl_model *model;
    if (stl_open(argv[1], &options, &model) != STL_OK) return failed("open");
    FILE *in = fopen(argv[2], "rb"), *out = fopen(argv[3], "wb");
    const int status = in == NULL || out == NULL ? 1 : predict(model, in, out);
    if (in != NULL) fclose(in);
    if (out != NULL && fclose(out) != 0) return 1;
    stl_free(model);
    return status;
}
