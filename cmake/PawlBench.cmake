# Programs that are built on demand and not tested by ctest: every bench/bench_THING.c by the target
# `bench_programs`, every tests/long/THING.c, as long_THING, by `long_programs`.
function(pawl_programs kind folder sources)
    add_custom_target(${kind}_programs)
    foreach(source IN LISTS sources)
        get_filename_component(target ${source} NAME_WE)
        string(REGEX REPLACE "^${kind}_" "" target ${target})
        set(target ${kind}_${target})
        add_executable(${target} EXCLUDE_FROM_ALL ${source})
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
        target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src
                                                     ${CMAKE_SOURCE_DIR}/include)
        target_link_libraries(${target} PRIVATE pawl_compiler pawl_worker_rooms)
        add_dependencies(${kind}_programs ${target})
    endforeach()
endfunction()

file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/bench_*.c)
pawl_programs(bench bench "${bench_sources}")
file(GLOB long_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/long/*.c)
pawl_programs(long long "${long_sources}")
# Decisions beside the peers', for bench/conformance/*.py: the target `conformance_programs`.
file(GLOB conformance_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/conformance/*.c)
pawl_programs(conformance conformance "${conformance_sources}")
