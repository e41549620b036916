# What `cmake --install` and `cpack -G DEB` put where. Two components:
#   runtime   the shared library, its headers, the CMake package, examples
#   compiler  dann-compile, dann-opt, the compiler as a library, and what
#             executables are linked with
include(CMakePackageConfigHelpers)

set(dann_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dann)
set(dann_documentation_dir ${CMAKE_INSTALL_DATADIR}/dann)

install(TARGETS dann_runtime_shared EXPORT dannRuntimeTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          COMPONENT runtime NAMELINK_COMPONENT runtime)
install(DIRECTORY runtime/include/dann
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT runtime)
install(EXPORT dannRuntimeTargets NAMESPACE dann::
  DESTINATION ${dann_package_dir} COMPONENT runtime)

configure_package_config_file(cmake/dannConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/package/dannConfig.cmake
  INSTALL_DESTINATION ${dann_package_dir}
  PATH_VARS CMAKE_INSTALL_BINDIR)
# Before 1.0 a new minor version may change anything.
write_basic_package_version_file(
  ${CMAKE_CURRENT_BINARY_DIR}/package/dannConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/package/dannConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/package/dannConfigVersion.cmake
  DESTINATION ${dann_package_dir} COMPONENT runtime)

# Paths relative to the file's own place: the tree can be moved.
file(RELATIVE_PATH DANN_PKG_CONFIG_PREFIX
  /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/dann-runtime.pc.in package/dann-runtime.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/package/dann-runtime.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT runtime)

install(DIRECTORY examples
  DESTINATION ${dann_documentation_dir} COMPONENT runtime
  PATTERN __pycache__ EXCLUDE)
install(FILES README.md LICENSE
  DESTINATION ${dann_documentation_dir} COMPONENT runtime)

if(DANN_BUILD_COMPILER)
  # MLIR's library lies in a directory that the system does not search.
  set_target_properties(dann-compile dann-opt PROPERTIES
    INSTALL_RPATH "${LLVM_LIBRARY_DIRS}")
  set_target_properties(dann_compiler PROPERTIES
    INSTALL_RPATH "$ORIGIN;${LLVM_LIBRARY_DIRS}")
  install(TARGETS dann_compiler EXPORT dannCompilerTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
            COMPONENT compiler NAMELINK_COMPONENT compiler)
  install(DIRECTORY compiler/include/dann
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT compiler)
  install(EXPORT dannCompilerTargets NAMESPACE dann::
    DESTINATION ${dann_package_dir} COMPONENT compiler)
  configure_file(cmake/dann-compiler.pc.in package/dann-compiler.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/package/dann-compiler.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT compiler)
  install(TARGETS dann-compile dann-opt
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT compiler)
  install(TARGETS dann_cli dann_runtime
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT compiler)
endif()

set(CPACK_PACKAGE_NAME dann)
set(CPACK_PACKAGE_VENDOR dann)
set(CPACK_PACKAGE_CONTACT "the authors of dann")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${CPACK_PACKAGE_CONTACT})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL runtime)
if(DANN_BUILD_COMPILER)
  list(APPEND CPACK_COMPONENTS_ALL compiler)
endif()
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# The runtime belongs to another of these packages.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME dann-runtime)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
  "Runtime of compiled Dale's ANNs
 A library that loads, runs and trains networks compiled by dann, with C++ and C
 interfaces. Needs no compiler.")
set(CPACK_DEBIAN_COMPILER_PACKAGE_NAME dann-compiler)
# What the C compiler links executables with.
set(CPACK_DEBIAN_COMPILER_PACKAGE_DEPENDS
  "dann-runtime (= ${PROJECT_VERSION}), gcc | clang, libc6-dev, libstdc++-12-dev | libstdc++-dev, libdnnl-dev, libprotobuf-dev, zlib1g-dev")
set(CPACK_COMPONENT_COMPILER_DESCRIPTION
  "Compiler for Dale's ANNs
 Compiles model files and ONNX models to native programs and shared objects that
 run and train them.")
include(CPack)
