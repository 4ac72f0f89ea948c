# Build rules shared by every folder.

find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
find_package(Protobuf REQUIRED)

find_program(KILN_CCACHE ccache)
if(KILN_CCACHE)
  # What a precompiled header has is known by its bytes.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${KILN_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${KILN_CCACHE})
endif()
find_program(KILN_MOLD mold)
if(KILN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

set(KILN_SANITIZE "" CACHE STRING "Sanitizers for every target: address,undefined or thread")
if(KILN_SANITIZE)
  add_compile_options(-fsanitize=${KILN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # It sees uninitialized members in instrumented code of std::regex and std::function.
    add_compile_options(-Wno-maybe-uninitialized)
  else()
    add_compile_options(-fno-sanitize=pointer-overflow)  # RapidJSON adds to null pointers
  endif()
  add_link_options(-fsanitize=${KILN_SANITIZE})
endif()
if(KILN_SANITIZE STREQUAL "thread")
  # The sanitizer does not know fences: Asio's would be reported as races.
  add_compile_options(-Wno-tsan)
  add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  # With it Protobuf's map fields have a member more than those of the system's library.
  add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
endif()

# Designated initialisers leave fields to their defaults on purpose, and GoogleTest's macros hold an else of their own.
set(KILN_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers
    -Wno-dangling-else -Werror)

# What most files begin with, and every test, compiled once. With GCC alone: Clang takes no header that was compiled with
# other definitions, and sees that files include what they use.
set(KILN_HEADERS <algorithm> <functional> <map> <memory> <optional> <set> <string> <variant> <vector> <fmt/format.h>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  file(CONFIGURE OUTPUT headers.cc CONTENT "")
  add_library(kiln_headers OBJECT ${CMAKE_CURRENT_BINARY_DIR}/headers.cc)
  target_precompile_headers(kiln_headers PRIVATE ${KILN_HEADERS})
  add_library(kiln_test_headers OBJECT ${CMAKE_CURRENT_BINARY_DIR}/headers.cc)
  target_link_libraries(kiln_test_headers PRIVATE GTest::gmock)
  target_precompile_headers(kiln_test_headers PRIVATE ${KILN_HEADERS} <gmock/gmock.h>)
endif()

# target's files begin with the precompiled headers of another.
function(kiln_precompiled target from)
  # GCC forgets there which headers are the system's, whose faults it would not tell.
  target_compile_options(${target} PRIVATE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    # As the header is, for libraries.
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${from})
endfunction()

# kiln_library(wire_net DEPS kiln_base PRIVATE_DEPS Boost::headers)
#
# The library kiln_<name> of this folder: every *.cc but *_test.cc and main.cc. Every *_test.cc goes into kiln_<name>_test,
# with TEST_DEPS, and is a test of that name. A folder without sources gives an interface library. PRECOMPILED names the
# target whose precompiled headers all of them begin with, where that is not the usual ones.
function(kiln_library name)
  cmake_parse_arguments(ARG "" "PRECOMPILED" "DEPS;PRIVATE_DEPS;TEST_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|/main)\\.cc$")
  set(target kiln_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_compile_options(${target} PRIVATE ${KILN_WARNINGS})
    target_link_libraries(${target} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${ARG_DEPS})
    target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  endif()
  if(tests)
    add_executable(${target}_test ${tests})
    target_compile_options(${target}_test PRIVATE ${KILN_WARNINGS})
    target_link_libraries(${target}_test PRIVATE ${target} ${ARG_PRIVATE_DEPS} ${ARG_TEST_DEPS} GTest::gmock GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${target}_test)
    set(limit 300)
    if(KILN_SANITIZE)
      set(limit 900)  # under which everything takes a few times as long
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT ${limit})
  endif()
  set(from kiln_headers)
  set(tests_from kiln_test_headers)
  if(ARG_PRECOMPILED)
    set(from ${ARG_PRECOMPILED})
    set(tests_from ${ARG_PRECOMPILED})
  endif()
  if(sources AND TARGET ${from})
    kiln_precompiled(${target} ${from})
  endif()
  if(tests AND TARGET ${tests_from})
    kiln_precompiled(${target}_test ${tests_from})
  endif()
endfunction()

# Programs allocate by jemalloc; a sanitizer has an allocator of its own.
function(kiln_allocator target)
  if(NOT KILN_SANITIZE)
    target_link_libraries(${target} PRIVATE jemalloc)
  endif()
endfunction()

# kiln_program(kiln-scheduler DEPS ...): the program of this folder's main.cc, put into build/<preset>/bin.
function(kiln_program name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  add_executable(${name} main.cc)
  target_compile_options(${name} PRIVATE ${KILN_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  kiln_allocator(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()
