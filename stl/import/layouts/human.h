// Human3.6M (C. Ionescu, D. Papava, V. Olaru, C. Sminchisescu, PAMI 2014) as the reference keeps it: pictures
// images/<clip>_NNNNNN.jpg and the lists train.txt and test.txt, a sequence a line: "images/<clip>_,26,96"
// (name without number, first frame, last frame). Every fifth frame is taken. Frames become uint8 3x256x256
// (sampled cubically as OpenCV does where they are of another height).
#pragma once

#include "stl/import/layouts/layout.h"

namespace stl {

void import_human(LayoutJob& job);

}  // namespace stl
