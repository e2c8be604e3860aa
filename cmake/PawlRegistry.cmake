# pawl_registry(ROOM FILES PREFIX HEADER H STRUCT S SYMBOL P)
#
# A table of everything of one kind, made from file names: src/ROOM/PREFIXname.c defines
# `const struct S Pname`. The header H declares the table,
#     extern const struct S *const NAME[];    (ends in NULL)
# and so chooses its name. ROOM may also be a target, whose folder is then the header's.
function(pawl_registry room)
    cmake_parse_arguments(arg "" "FILES;HEADER;STRUCT;SYMBOL" "" ${ARGN})
    file(GLOB header CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${arg_HEADER})
    if(NOT header)
        return()
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
    file(STRINGS ${header} declaration REGEX "^extern const struct ${arg_STRUCT} \\*const ")
    if(NOT declaration MATCHES "\\*const ([a-z_]+)\\[")
        return()
    endif()
    set(table ${CMAKE_MATCH_1})

    get_filename_component(folder ${header} DIRECTORY)
    file(GLOB files CONFIGURE_DEPENDS ${folder}/${arg_FILES}*.c)
    # libllama's backend may take several files; the one named backend_llama.c is the entry.
    list(FILTER files EXCLUDE REGEX "/backend_llama_[^/]*\\.c$")
    if(NOT PAWL_LLAMA)
        list(FILTER files EXCLUDE REGEX "/backend_llama\\.c$")
    endif()
    foreach(file IN LISTS files)
        get_filename_component(name ${file} NAME_WE)
        string(REGEX REPLACE "^${arg_FILES}" ${arg_SYMBOL} symbol ${name})
        string(APPEND externs "extern const struct ${arg_STRUCT} ${symbol};\n")
        string(APPEND entries "    &${symbol},\n")
    endforeach()
    string(REGEX REPLACE "_$" "" kind ${arg_FILES})
    set(output ${CMAKE_BINARY_DIR}/generated/${kind}_registry.c)
    file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"/* Made by cmake/PawlRegistry.cmake from the file names of ${kind}_*.c. */
#include \"${arg_HEADER}\"

#include <stddef.h>

${externs}
const struct ${arg_STRUCT} *const ${table}[] = {
${entries}    NULL,
};
")
    if(TARGET pawl_room_${room})
        target_sources(pawl_room_${room} PRIVATE ${output})
    elseif(TARGET ${room})
        target_sources(${room} PRIVATE ${output})
    endif()
endfunction()
