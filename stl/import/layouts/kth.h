// KTH actions (C. Schuldt, I. Laptev, B. Caputo: Recognizing Human Actions, ICPR 2004): six folders, one an
// action, in each the clips of 25 persons as personNN_<action>_dN_uncomp.avi, or as folders of image_NNNN.jpg
// (the form that PredRNN's and the reference's authors give). Persons 1-16 are for training, 17-25 for the
// test. Frames become gray uint8 128x128, sampled linearly as OpenCV does.
//
// Sequences never run over a jump in the frames' numbers; of boxing, handclapping, handwaving and walking
// they follow one another, of jogging and running one begins every three frames. The authors'
// 00sequences.txt, where it lies beside the videos, says which of their frames show somebody.
#pragma once

#include "stl/import/layouts/layout.h"

namespace stl {

void import_kth(LayoutJob& job);

}  // namespace stl
