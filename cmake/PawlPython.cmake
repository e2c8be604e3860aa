# What a warm interpreter runs, src/sandbox/python/zygote.py, as pawl_zygote_text of sandbox/zygote.h: built
# in, so that nothing has to be found at run time.
set(file ${CMAKE_SOURCE_DIR}/src/sandbox/python/zygote.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
file(READ ${file} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1, " bytes "${bytes}")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/zygote_text.c @ONLY CONTENT
"/* Made by cmake/PawlPython.cmake from src/sandbox/python. */
#include \"sandbox/zygote.h\"

const char pawl_zygote_text[] = {@bytes@0};
")
target_sources(pawl_room_sandbox PRIVATE ${CMAKE_BINARY_DIR}/generated/zygote_text.c)
