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
install(FILES CHANGELOG.md
  DESTINATION ${dann_documentation_dir} COMPONENT runtime)
# What Debian wants of a package: license, changes, and what its checker lintian is to
# pass over.
set(dann_contact "the authors of dann <authors@dann.invalid>")
set(dann_debian_dir ${CMAKE_CURRENT_BINARY_DIR}/debian)
string(TIMESTAMP dann_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
function(dann_install_debian_files component library)
  set(package dann-${component})
  set(directory ${dann_debian_dir}/${package})
  file(CONFIGURE OUTPUT ${directory}/changelog
    CONTENT "${package} (${PROJECT_VERSION}) bookworm; urgency=medium

  * What has changed is told in /usr/share/dann/CHANGELOG.md.

 -- ${dann_contact}  ${dann_date}
")
  execute_process(COMMAND gzip -9nkf ${directory}/changelog
    COMMAND_ERROR_IS_FATAL ANY)
  configure_file(cmake/debian/lintian-overrides.in ${directory}/overrides @ONLY)
  if(component STREQUAL compiler)
    file(READ cmake/debian/runtime-path.lintian-overrides overrides)
    file(APPEND ${directory}/overrides "${overrides}")
  endif()
  install(FILES ${PROJECT_SOURCE_DIR}/cmake/debian/copyright
    ${directory}/changelog.gz
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component})
  install(FILES ${directory}/overrides RENAME ${package}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
    COMPONENT ${component})
  # The library in it: what packages depend on that link it, and that the loader's
  # cache has to be renewed.
  file(CONFIGURE OUTPUT ${directory}/shlibs
    CONTENT "${library} ${PROJECT_VERSION_MAJOR} ${package} (>= ${PROJECT_VERSION})\n")
  file(CONFIGURE OUTPUT ${directory}/triggers
    CONTENT "activate-noawait ldconfig\n")
  string(TOUPPER ${component} component)
  set(CPACK_DEBIAN_${component}_PACKAGE_CONTROL_EXTRA
    "${directory}/shlibs;${directory}/triggers" PARENT_SCOPE)
endfunction()
dann_install_debian_files(runtime libdann_runtime)

if(DANN_BUILD_COMPILER)
  # MLIR's library lies in a directory that the system does not search.
  file(RELATIVE_PATH dann_lib_from_bin
    /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
  set_target_properties(dann-compile dann-opt PROPERTIES
    INSTALL_RPATH "$ORIGIN/${dann_lib_from_bin};${LLVM_LIBRARY_DIRS}")
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
  # bash and fish look for a file of the command's name, zsh for a first line that
  # names the commands, in the directory that Debian gives to packages.
  foreach(tool dann-compile dann-opt)
    install(FILES tools/completions/dann-compile.bash
      DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
      RENAME ${tool} COMPONENT compiler)
    install(FILES tools/completions/dann-compile.fish
      DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
      RENAME ${tool}.fish COMPONENT compiler)
  endforeach()
  install(FILES tools/completions/_dann-compile
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
    COMPONENT compiler)
  dann_install_debian_files(compiler libdann_compiler)
  # Man pages are what the tools say of themselves.
  find_program(HELP2MAN help2man)
  set(dann_man_pages)
  if(HELP2MAN)
    function(dann_add_man_page tool summary)
      set(page ${CMAKE_CURRENT_BINARY_DIR}/man/${tool}.1)
      add_custom_command(OUTPUT ${page}.gz
        COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/man
        COMMAND ${CMAKE_COMMAND} -E env DANN_TOOL=$<TARGET_FILE:${tool}>
                ${HELP2MAN} --no-info --no-discard-stderr --name=${summary}
                --version-string=${PROJECT_VERSION} --manual=dann
                --source=dann\ ${PROJECT_VERSION}
                --include=${PROJECT_SOURCE_DIR}/docs/man/${tool}.h2m
                --output=${page} ${PROJECT_SOURCE_DIR}/docs/man/help.sh
        COMMAND sed -i -e "s/^\\.TH HELP\\.SH/.TH ${tool}/I"
                -e "s/^help\\.sh/${tool}/" ${page}
        COMMAND gzip -9nf ${page}
        DEPENDS ${tool} docs/man/${tool}.h2m docs/man/help.sh
        COMMENT "Describing ${tool} in a man page"
        VERBATIM)
      set(dann_man_pages ${dann_man_pages} ${page}.gz PARENT_SCOPE)
    endfunction()
    dann_add_man_page(dann-compile "compile Dale's ANNs to native programs")
    dann_add_man_page(dann-opt "run passes on the IR of dann")
    install(FILES ${dann_man_pages}
      DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT compiler)
  else()
    message(STATUS "help2man is not installed: there will be no man pages")
  endif()
  # All that is installed of the tools.
  add_custom_target(dann_tools ALL
    DEPENDS dann-compile dann-opt dann_compiler ${dann_man_pages})
  install(TARGETS dann_cli dann_runtime
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT compiler)
endif()

set(CPACK_PACKAGE_NAME dann)
set(CPACK_PACKAGE_VENDOR dann)
set(CPACK_PACKAGE_CONTACT ${dann_contact})
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
 A library that loads, runs and trains networks compiled by dann, with
 interfaces for C++ and C. Needs no compiler.")
set(CPACK_DEBIAN_COMPILER_PACKAGE_NAME dann-compiler)
# What the C compiler links executables with.
set(CPACK_DEBIAN_COMPILER_PACKAGE_DEPENDS
  "dann-runtime (= ${PROJECT_VERSION}), gcc | clang, libc6-dev, libstdc++-12-dev | libstdc++-dev, libdnnl-dev, libprotobuf-dev, zlib1g-dev")
set(CPACK_COMPONENT_COMPILER_DESCRIPTION
  "Compiler for Dale's ANNs
 Compiles model files and ONNX models to native programs and shared objects
 that run and train them.")
include(CPack)
