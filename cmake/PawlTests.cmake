# Every tests/ROOM/test_THING.c is a test ROOM/THING; every tests/cli/THING.sh is a test cli/THING;
# every fuzz/fuzz_THING.c replays its seed corpus as fuzz/THING (under PAWL_FUZZ it is a fuzzer).
if(NOT BUILD_TESTING)
    return()
endif()
pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)

set(PAWL_TEST_ENVIRONMENT PAWL_SOURCE_DIR=${CMAKE_SOURCE_DIR} PAWL_BIN=${CMAKE_BINARY_DIR}/pawl
                          PAWL_WORKER=${CMAKE_BINARY_DIR}/pawl-worker
                          PAWL_TEST_CACHE=${CMAKE_BINARY_DIR}/tests/cache)
if(PAWL_TSAN)
    list(APPEND PAWL_TEST_ENVIRONMENT
         TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp)
endif()
function(pawl_test name)
    add_test(NAME ${name} COMMAND ${ARGN})
    # Against hanging, not against slowness: the embedded model takes minutes on a CPU without AVX-512.
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 ENVIRONMENT "${PAWL_TEST_ENVIRONMENT}")
endfunction()

# What several tests share.
file(GLOB support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c)
add_library(pawl_test_deps INTERFACE)
target_include_directories(pawl_test_deps INTERFACE ${CMAKE_SOURCE_DIR}/tests
                                                    ${CMAKE_SOURCE_DIR}/src
                                                    ${CMAKE_SOURCE_DIR}/include)
if(support_sources)
    add_library(pawl_test_support STATIC ${support_sources})
    target_link_libraries(pawl_test_support PRIVATE pawl_test_deps pawl_compiler pawl_worker_rooms
                                                    PkgConfig::cmocka)
    target_link_libraries(pawl_test_deps INTERFACE pawl_test_support)
endif()

file(GLOB test_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/test_*.c)
foreach(source IN LISTS test_sources)
    string(REGEX REPLACE ".*/([^/]+)/test_([^/]+)\\.c$" "\\1/\\2" name ${source})
    string(REPLACE "/" "_" target test_${name})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${target} PRIVATE pawl_test_deps pawl_compiler pawl_worker_rooms
                                            PkgConfig::cmocka)
    pawl_test(${name} ${target})
endforeach()

# The longest, so they begin first; what runs beside them fills the other cores.
set_tests_properties(lm/llama_weights lm/llama_sharing lm/llama_kept PROPERTIES COST 1000)

# Scripted models do not say that they score choices; this test says it for them.
target_link_options(test_program_cot PRIVATE LINKER:--wrap=pawl_lm_scores_choices)
# And they are never asked for the best choice alone; this test sees what they would be asked.
target_link_options(test_program_predict PRIVATE LINKER:--wrap=pawl_lm_ask)

# Kills a command at its n-th system call; a few of the many of `make kill_syscalls` run with the suite.
add_executable(kill_at_call ${CMAKE_SOURCE_DIR}/tests/long/kill_at_call.c)
set_target_properties(kill_at_call PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(kill_at_call PRIVATE pawl_compiler)
list(APPEND PAWL_TEST_ENVIRONMENT PAWL_KILL_AT=${CMAKE_BINARY_DIR}/tests/kill_at_call)

file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cli/*.sh)
list(FILTER scripts EXCLUDE REGEX "/lib\\.sh$")
if(TARGET pawl)
    foreach(script IN LISTS scripts)
        get_filename_component(name ${script} NAME_WE)
        pawl_test(cli/${name} sh ${script})
        set_tests_properties(cli/${name} PROPERTIES SKIP_RETURN_CODE 77)
    endforeach()
endif()

if(TARGET pawl_room_operators)
    pawl_test(operators/keep_to_host ${CMAKE_SOURCE_DIR}/scripts/check-operators ${CMAKE_BINARY_DIR})
endif()

file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/fuzz_*.c)
foreach(source IN LISTS fuzz_sources)
    get_filename_component(target ${source} NAME_WE)
    string(REGEX REPLACE "^fuzz_" "" name ${target})
    add_executable(${target} ${source} ${CMAKE_SOURCE_DIR}/fuzz/file.c)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${target} PRIVATE pawl_test_deps pawl_compiler pawl_worker_rooms)
    if(PAWL_FUZZ)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
        pawl_test(fuzz/${name} ${target} -runs=0 ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
    else()
        target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/fuzz/replay.c)
        pawl_test(fuzz/${name} ${target} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
    endif()
endforeach()
