# pawl_rooms(NAMES...): an object library pawl_room_NAME for each folder of src/ that has sources;
# PAWL_ROOMS lists them. pawl_archive(TARGET NAMES...): a static library of those rooms.
# Where the helpers are: as configured, and as seen from the command, should both be moved together.
file(RELATIVE_PATH libexec_from_bin ${CMAKE_INSTALL_FULL_BINDIR}
     ${CMAKE_INSTALL_FULL_LIBEXECDIR}/pawl)
set(PAWL_INSTALL_DEFINES PAWL_LIBEXECDIR="${CMAKE_INSTALL_FULL_LIBEXECDIR}/pawl"
                         PAWL_LIBEXEC_FROM_BIN="${libexec_from_bin}"
                         PAWL_VERSION="${PROJECT_VERSION}")

function(pawl_room name)
    if(ARGN)
        add_library(pawl_room_${name} OBJECT ${ARGN})
        target_include_directories(pawl_room_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src
                                                            ${CMAKE_SOURCE_DIR}/include)
        target_link_libraries(pawl_room_${name} PRIVATE pawl_compiler pawl_worker_deps)
        set(PAWL_ROOMS ${PAWL_ROOMS} ${name} PARENT_SCOPE)
    endif()
endfunction()

macro(pawl_rooms)
    foreach(name ${ARGN})
        file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
        list(FILTER sources EXCLUDE REGEX "/worker/main\\.c$")
        if(NOT PAWL_LLAMA)
            list(FILTER sources EXCLUDE REGEX "/lm/(backend_)?llama[^/]*\\.c$")
        endif()
        # The front's share of a room is a room of its own: the command links it without the rest.
        set(front_sources ${sources})
        list(FILTER front_sources INCLUDE REGEX "/improve/(front|common)_[^/]*\\.c$")
        list(FILTER sources EXCLUDE REGEX "/improve/(front|common)_[^/]*\\.c$")
        # And the worker's share of a room that the front has too: Lua.
        set(worker_sources ${sources})
        list(FILTER worker_sources INCLUDE REGEX "/base/lua_[^/]*\\.c$")
        list(FILTER sources EXCLUDE REGEX "/base/lua_[^/]*\\.c$")
        pawl_room(${name}_worker ${worker_sources})
        pawl_room(${name} ${sources})
        pawl_room(${name}_front ${front_sources})
        if(front_sources)
            target_compile_definitions(pawl_room_${name}_front PRIVATE ${PAWL_INSTALL_DEFINES})
        endif()
    endforeach()
endmacro()

function(pawl_archive target)
    foreach(name ${ARGN})
        if(TARGET pawl_room_${name})
            list(APPEND objects $<TARGET_OBJECTS:pawl_room_${name}>)
        endif()
    endforeach()
    add_library(${target} STATIC ${objects})
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
endfunction()
