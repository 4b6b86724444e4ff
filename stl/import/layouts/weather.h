// WeatherBench (S. Rasp et al., JAMES 2020): NetCDF4 files of hourly maps, a folder for each variable:
// 2m_temperature/2m_temperature_2010_5.625deg.nc, ... with <variable> [time,lat,lon] or [time,level,lat,lon]
// and `time` [time], its units an attribute ("hours since 1900-01-01"). As the reference does it:
//
//   variable         t2m by default; uv10 is u10 and v10 as two channels; of r the last level
//   years            training 2010 (or first_year) to 2015, validation 2016, test 2017 and 2018
//   normalisation    values stay in their unit; mean and std of each channel over the training years are
//                    attributes, which training, evaluation and prediction apply and undo
//   sequences        begin at every hour; the last hour of a split, and the last sequence, are left out
#pragma once

#include "stl/import/layouts/layout.h"

namespace stl {

void import_weather(LayoutJob& job);

/// The year of `value` in "hours since 1900-01-01 00:00:00" (days, hours, minutes, seconds). Error: other
/// units.
int year_of(double value, const std::string& units, const std::string& where);

}  // namespace stl
