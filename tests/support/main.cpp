// main.cpp - Catch2's own main, compiled once a test program.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
