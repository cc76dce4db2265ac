# Included by ctest: lists the binary's tests and adds each under its own name, labelled with its folder under tests/.
#
# Instead of gtest_discover_tests, which knows no files and so cannot label. Disabled tests are left out; a skipped test
# counts as passed and says why in its output (ctest -V).
if(NOT EXISTS "${binary}")
  message(FATAL_ERROR "no ${binary}: build first (./test does)")
endif()
if("${binary}" IS_NEWER_THAN "${list_file}" OR "${CMAKE_CURRENT_LIST_FILE}" IS_NEWER_THAN "${list_file}")
  execute_process(COMMAND "${binary}" --gtest_list_tests --gtest_output=json:${list_file}.json
                  RESULT_VARIABLE status OUTPUT_QUIET)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${binary} --gtest_list_tests failed: ${status}")
  endif()
  file(READ "${list_file}.json" json)
  string(REPLACE "\\/" "/" json "${json}")
  # A suite's name comes before its "testsuite", a test's name before its "file".
  string(REGEX MATCHALL "\"(name|file)\": \"[^\"]*\"|\"testsuite\":" keys "${json}")
  set(commands "")
  foreach(key IN LISTS keys)
    if(key MATCHES "\"name\": \"(.*)\"")
      set(name "${CMAKE_MATCH_1}")
    elseif(key MATCHES "testsuite")
      set(suite "${name}")
    elseif(NOT "${suite}.${name}" MATCHES "DISABLED_" AND key MATCHES "\"file\": \"(.*)/")
      cmake_path(RELATIVE_PATH CMAKE_MATCH_1 BASE_DIRECTORY "${tests_dir}" OUTPUT_VARIABLE folder)
      set(test "[==[${suite}.${name}]==]")
      string(APPEND commands
        "add_test(${test} [==[${binary}]==] [==[--gtest_filter=${suite}.${name}]==])\n"
        "set_tests_properties(${test} PROPERTIES LABELS [==[${folder}]==] WORKING_DIRECTORY [==[${work_dir}]==])\n")
    endif()
  endforeach()
  file(WRITE "${list_file}" "${commands}")
endif()
include("${list_file}")
