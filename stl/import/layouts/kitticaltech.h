// KITTI (A. Geiger et al., IJRR 2013) for training, Caltech Pedestrian (P. Dollar et al., PAMI 2012) for the
// test, as the reference keeps them:
//
//   kitti_hkl/X_train.hkl, sources_train.hkl
//       what PredNet's script makes: hickle (HDF5) files of uint8 [F,128,160,3] red first, and of F names of
//       the films that the frames come from. X_val, sources_val: the same for validation, where they are
//       there.
//   caltech/data_cache.npy, indices_cache.npy
//       the reference's cache: uint8 [F,128,160,3] blue first, and the first frame of each sequence; or
//   caltech/setNN/*.seq
//       the authors' films (stl/import/layouts/seq_file.h): every third frame, made 128 high (smooth_taps)
//       and cut to the middle 160 columns.
//
// Sequences follow one another and end with the film (starts_from_end).
#pragma once

#include "stl/import/layouts/layout.h"

namespace stl {

void import_kitticaltech(LayoutJob& job);

}  // namespace stl
