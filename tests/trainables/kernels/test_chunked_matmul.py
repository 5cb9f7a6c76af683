"""Products of very many rows."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from trainables.kernels.chunked_matmul import linear, sum_of_outer_products

N = [1, 1023, 1024, 3000]


@pytest.mark.parametrize("rows", N)
def test_products_in_bfloat16_are_those_of_the_rounded_numbers(rows):
    torch.manual_seed(0)
    x_NK, y_NC = (torch.randn(rows, width).bfloat16() for width in (20, 8))
    weight_CK, bias_C = torch.randn(8, 20).bfloat16(), torch.randn(8).bfloat16()
    expected = nn.functional.linear(x_NK.double(), weight_CK.double(), bias_C.double())
    assert_near(linear(x_NK, weight_CK, bias_C), expected)
    assert_near(sum_of_outer_products(x_NK, y_NC), x_NK.double().t() @ y_NC.double())


def assert_near(half, expected):
    assert half.dtype == torch.bfloat16
    assert (half - expected).norm() <= 0.005 * expected.norm()


@pytest.mark.parametrize("rows", N)
def test_gradients_in_bfloat16_are_float32s_to_its_three_digits(rows):
    torch.manual_seed(0)
    given = [torch.randn(*shape) for shape in ((rows, 20), (8, 20), (8,))]
    weight_NC, found = torch.randn(rows, 8), []
    for dtype in (torch.float32, torch.bfloat16):
        numbers = [x.to(dtype, copy=True).requires_grad_() for x in given]
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            y_NC = linear(*numbers)
        (y_NC * weight_NC.to(dtype)).sum().backward()
        found.append([x.grad.float() for x in numbers])
    for single, half in zip(*found, strict=True):
        assert (single - half).norm() <= 0.02 * single.norm()


def test_in_float32_they_are_torchs():
    x_NK, weight_CK, bias_C = torch.randn(5, 4), torch.randn(3, 4), torch.randn(3)
    y_NC = nn.functional.linear(x_NK, weight_CK, bias_C)
    assert torch.equal(linear(x_NK, weight_CK, bias_C), y_NC)
    assert torch.equal(sum_of_outer_products(x_NK, y_NC), x_NK.t() @ y_NC)


class ShapesOfProducts(TorchDispatchMode):
    """Notes the shapes of all matrix products in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes = set[tuple[torch.Size, torch.Size]]()

    def __torch_dispatch__(self, operation, types, given=(), more=None):
        factors = [x for x in given if isinstance(x, torch.Tensor) and x.dim() == 2]
        product = operation.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm)
        if product and factors[-1].dtype == torch.bfloat16:
            self.shapes.add((factors[-2].shape, factors[-1].shape))
        return operation(*given, **(more or {}))


def test_products_have_the_same_shapes_whatever_the_number_of_rows():
    """Or oneDNN would compile code for each, and keep it: 0.4 MB and more."""
    weight_CK, bias_C = torch.randn(256, 64).bfloat16(), torch.randn(256).bfloat16()
    found = []
    for rows in (1024, 1100, 2001, 2100, 4000):
        with ShapesOfProducts() as noted:
            x_NK = torch.ones(rows, 64, dtype=torch.bfloat16)
            sum_of_outer_products(x_NK, linear(x_NK, weight_CK, bias_C))
        found.append(noted.shapes)
    assert found[0] and all(shapes == found[0] for shapes in found)
