# What a user of the library gets: archive, headers, pawl.pc and a CMake package.
include(CMakePackageConfigHelpers)
install(TARGETS libpawl ARCHIVE)
install(DIRECTORY include/pawl TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(FILES share/prices.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/pawl)

list(JOIN PAWL_FRONT_PACKAGES " " PAWL_PC_REQUIRES)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pawl)
# Relative, so that a package that is moved, or installed with --prefix, still finds itself.
file(RELATIVE_PATH PAWL_PC_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/pawl.pc.in pawl.pc @ONLY)
configure_package_config_file(cmake/pawlConfig.cmake.in pawlConfig.cmake
                              INSTALL_DESTINATION ${package_dir}
                              PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(pawlConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/pawl.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${CMAKE_BINARY_DIR}/pawlConfig.cmake ${CMAKE_BINARY_DIR}/pawlConfigVersion.cmake
        DESTINATION ${package_dir})
