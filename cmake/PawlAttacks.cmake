# The attacks of `pawl redteam`, share/redteam/NAME.yaml, as the table pawl_attack_sources of
# improve/redteam.h: built in like the operators' cards, and installed to be read.
file(GLOB attack_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/share/redteam/*.yaml)
list(SORT attack_files)
set(attack_texts "")
set(attack_entries "")
foreach(file IN LISTS attack_files)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1, " bytes "${bytes}")
    string(APPEND attack_texts "static const unsigned char attack_${name}[] = {${bytes}};\n")
    string(APPEND attack_entries
           "    {\"${name}\", attack_${name}, sizeof attack_${name}},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/attack_sources.c @ONLY CONTENT
"/* Made by cmake/PawlAttacks.cmake from share/redteam. */
#include \"improve/redteam.h\"

@attack_texts@
const struct pawl_attack_source pawl_attack_sources[] = {
@attack_entries@    {0},
};
")
target_sources(pawl_room_improve_front PRIVATE ${CMAKE_BINARY_DIR}/generated/attack_sources.c)
install(FILES ${attack_files} DESTINATION ${CMAKE_INSTALL_DATADIR}/pawl/redteam)
