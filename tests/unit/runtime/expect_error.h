// Checks of errors: the code and the sentence.
#ifndef DANN_TESTS_EXPECT_ERROR_H
#define DANN_TESTS_EXPECT_ERROR_H

#include "dann/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

/// Expects `statement` to throw a dann::Error whose sentence matches.
#define EXPECT_ERROR(statement, error_code, sentence_matcher)                  \
  try {                                                                        \
    statement;                                                                 \
    ADD_FAILURE() << "no error from " #statement;                              \
  } catch (const dann::Error &error) {                                         \
    EXPECT_EQ(int(error.code()), int(dann::ErrorCode::error_code))             \
        << error.what();                                                       \
    EXPECT_THAT(std::string(error.what()), sentence_matcher);                  \
  }

#endif // DANN_TESTS_EXPECT_ERROR_H
