# The certificate's page, share/certificate/page.html and page.js, as pawl_page_html and pawl_page_js of
# improve/page.h: built in, as the cards are.
set(page_texts "")
foreach(kind html js)
    set(file ${CMAKE_SOURCE_DIR}/share/certificate/page.${kind})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1, " bytes "${bytes}")
    string(APPEND page_texts "static const unsigned char ${kind}_bytes[] = {${bytes}};\n"
           "const struct pawl_page_text pawl_page_${kind} = {${kind}_bytes, sizeof ${kind}_bytes};\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/page_texts.c @ONLY CONTENT
"/* Made by cmake/PawlPage.cmake from share/certificate. */
#include \"improve/page.h\"

@page_texts@")
target_sources(pawl_room_improve_front PRIVATE ${CMAKE_BINARY_DIR}/generated/page_texts.c)
