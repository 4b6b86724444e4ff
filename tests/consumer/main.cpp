// from_cpp SOURCE: the shape of what a network predicts.
#include <stl/predict/predictor.h>

#include <iostream>

int main(int /*argc*/, char** argv) {
    try {
        stl::Predictor predictor({.source = argv[1], .device = "cpu"});
        const auto& m = predictor.model();
        std::cout << predictor.predict(torch::zeros({1, m.frames, m.channels, m.height, m.width})).sizes()
                  << '\n';
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
