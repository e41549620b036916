"""The spectra of matrices that states or activities are multiplied with.

Measures of the authors' study of recurrent networks (NeurIPS 2023), which finds
that the spectrum with which such a network begins matters to what it learns.
"""

import dataclasses
import math

import numpy


@dataclasses.dataclass
class Spectrum:
    """Of one matrix."""

    eigenvalues: numpy.ndarray  # of a square matrix, otherwise none
    singular_values: numpy.ndarray

    @property
    def radius(self) -> float | None:
        """The largest magnitude of an eigenvalue."""
        return float(abs(self.eigenvalues).max()) if self.eigenvalues.size else None

    @property
    def entropy(self) -> float:
        """Of the singular values as shares of their sum: 1 if all are equal, 0
        if all but one are zero. Infinite or no values have none."""
        count = self.singular_values.size
        total = self.singular_values.sum()
        if count < 2 or not 0 < total < math.inf:
            return math.nan
        shares = self.singular_values / total
        shares = shares[shares > 0]  # the limit of p ln p is 0
        return float(-(shares * numpy.log(shares)).sum() / math.log(count))


def spectrum(matrix: numpy.ndarray) -> Spectrum:
    matrix = matrix.astype("f8")
    is_square = matrix.shape[0] == matrix.shape[1]
    return Spectrum(
        numpy.linalg.eigvals(matrix) if is_square else numpy.array([]),
        numpy.linalg.svd(matrix, compute_uv=False),
    )


def effective_matrix(
    tensors: dict[str, numpy.ndarray], scope: str, inhibitory_inputs: int
) -> numpy.ndarray | None:
    """What inputs are multiplied with, [outputs, inputs]: of E/I units Wex - Wei
    Wix (what a divisor does is left out), of others W, whose last
    `inhibitory_inputs` columns inhibit. None if there are no such parameters."""
    matrix = tensors.get(f"{scope}.w")
    if matrix is not None and matrix.ndim == 2 and inhibitory_inputs <= matrix.shape[1]:
        signs = numpy.ones(matrix.shape[1])
        signs[matrix.shape[1] - inhibitory_inputs :] = -1
        return matrix * signs
    excitation, interneurons, inhibition = (
        tensors.get(f"{scope}.{role}") for role in ("wex", "wix", "wei")
    )
    if excitation is None or excitation.ndim != 2 or inhibitory_inputs:
        return None
    return excitation - inhibition @ interneurons
