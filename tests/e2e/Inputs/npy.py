"""Writes an array: npy.py FILE EXPRESSION. The expression sees numpy."""
import sys

import numpy

numpy.save(sys.argv[1], eval(sys.argv[2]))
