import { describe, expect, test } from 'vitest'
import { verdictOf } from '../support/conformance.ts'

describe('the verdict on a report', () => {
  test('sees what the summary of the program hides: skipped and disabled cases', () => {
    const report = `<testsuites time="1" tests="4" skipped="1" disabled="1">
      <testsuite name="x" tests="4" failures="0" errors="0" skipped="1" disabled="1">
      <testcase name="a" classname="" status="passed"><system-err>&lt;testcase Authorization: [Basic *****]</system-err></testcase>
      <testcase name="b" classname="" status="skipped"><system-out>registry does not &lt;it</system-out></testcase>
      </testsuite></testsuites>`
    expect(verdictOf(report)).toEqual({
      tests: 4,
      cases: 2,
      sums: { failures: 0, errors: 0, skipped: 1, disabled: 1 },
      credentials: ['Basic'],
      unpassed: ['b: skipped registry does not &lt;it'],
    })
  })
})
