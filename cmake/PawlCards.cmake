# The operators' cards, share/cards/NAME.yaml, as the table pawl_card_sources of improve/card.h: built in, so
# that a library that was moved still has them. A byte array, since a string literal has a limit in C11.
file(GLOB card_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/share/cards/*.yaml)
set(card_texts "")
set(card_entries "")
foreach(file IN LISTS card_files)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1, " bytes "${bytes}")
    string(APPEND card_texts "static const unsigned char card_${name}[] = {${bytes}};\n")
    string(APPEND card_entries
           "    {\"${name}\", \"share/cards/${name}.yaml\", card_${name}, sizeof card_${name}},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/card_sources.c @ONLY CONTENT
"/* Made by cmake/PawlCards.cmake from share/cards. */
#include \"improve/card.h\"

@card_texts@
const struct pawl_card_source pawl_card_sources[] = {
@card_entries@    {0},
};
")
target_sources(pawl_room_improve_front PRIVATE ${CMAKE_BINARY_DIR}/generated/card_sources.c)
install(FILES ${card_files} DESTINATION ${CMAKE_INSTALL_DATADIR}/pawl/cards)
