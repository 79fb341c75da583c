"""The tests: unit, contract, kernel, browser, faults, bench."""
