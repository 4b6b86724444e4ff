#include "stl/core/file_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/core/error.h"
#include "stl/core/json.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

using test::error_of;
using test::TemporaryFolder;
using ::testing::HasSubstr;
using namespace std::string_literals;

std::string stand_in_of(std::string_view text) {
    return stand_in(std::as_bytes(std::span(text)));
}

const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 185124\n";

TEST(FileKind, WhatDownloadsLeaveIsNamed) {
    EXPECT_THAT(stand_in_of(pointer), HasSubstr("a Git LFS pointer in place of the file"));
    for (const auto* page :
         {"<!DOCTYPE html><html>", "\xef\xbb\xbf\n  <!doctype HTML>", "<html lang=\"en\">"})
        EXPECT_THAT(stand_in_of(page), HasSubstr("a web page (HTML)")) << page;
    for (const auto* other : {"", "version 1", "<svg>", "<!-- html -->", "{\"html\": 1}", "   "})
        EXPECT_EQ(stand_in_of(other), "") << other;
    const TemporaryFolder folder;
    write_text(folder / "a.json", pointer);
    EXPECT_THAT(error_of([&] { refuse_stand_in(folder / "a.json"); }),
                HasSubstr("a.json: a Git LFS pointer"));
    EXPECT_THAT(error_of([&] { read_json(folder / "a.json"); }), HasSubstr("a.json: a Git LFS pointer"));
    EXPECT_NO_THROW(refuse_stand_in(folder / "none"));
}

TEST(FileKind, FilesAreToldByTheirFirstBytes) {
    const TemporaryFolder folder;
    const auto kind_of = [&](const std::string& content) {
        write_text(folder / "a", content);
        return kind_of_file(folder / "a");
    };
    const auto zip = [](const std::string& name) {
        return "PK\x03\x04"s + std::string(22, '\0') + static_cast<char>(name.size()) + "\0\0\0"s + name;
    };
    EXPECT_EQ(kind_of(zip("archive/data.pkl")), FileKind::checkpoint);
    EXPECT_EQ(kind_of("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), FileKind::checkpoint);
    EXPECT_EQ(kind_of("\x40\0\0\0\0\0\0\0{\"a\": 1}"s), FileKind::checkpoint);
    EXPECT_EQ(kind_of(zip("sequences.npy")), FileKind::sequences);
    EXPECT_EQ(kind_of(zip("word/document.xml")), FileKind::unknown);
    EXPECT_EQ(kind_of("PK\x03\x04"), FileKind::unknown);
    EXPECT_EQ(kind_of("\x89HDF\r\n\x1a\n"), FileKind::sequences);
    EXPECT_EQ(kind_of("\x93NUMPY"), FileKind::sequences);
    EXPECT_EQ(kind_of("\0\0\0\x20"s + "ftypisom"), FileKind::video);
    EXPECT_EQ(kind_of(" \n{\"a\": 1}"), FileKind::json);
    EXPECT_EQ(kind_of("\x08\x08\x12\x03stl"), FileKind::onnx);
    EXPECT_EQ(kind_of("\x08\x08\x12"), FileKind::unknown);
    EXPECT_EQ(kind_of(""), FileKind::unknown);
    EXPECT_EQ(kind_of_file(folder / "none"), FileKind::unknown);
    EXPECT_EQ(kind_of_file(folder.path()), FileKind::unknown);
    write_text(folder / "experiment.json", "{}");
    EXPECT_EQ(kind_of_file(folder.path()), FileKind::run);
    EXPECT_THAT(kind_hint(folder.path()), HasSubstr("it is a run, which stl evaluate"));
    EXPECT_EQ(kind_hint(folder / "none"), "");
}

}  // namespace
}  // namespace stl
