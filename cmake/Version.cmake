# stl_version: the git revision, looked up at every build and compiled into one small file.

add_custom_target(stl_revision ALL
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
            -DOUTPUT=${CMAKE_BINARY_DIR}/generated/revision.h -P ${PROJECT_SOURCE_DIR}/cmake/revision.cmake
    BYPRODUCTS ${CMAKE_BINARY_DIR}/generated/revision.h)
