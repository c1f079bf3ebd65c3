"""LeZO."""

TITLE = (
    "LeZO: Simultaneous Computation and Memory Efficient Zeroth-Order Optimizer for "
    "Fine-Tuning Large Language Models"
)
SOURCE = (
    "Fei Wang, Li Shen, Liang Ding, Chao Xue, Ye Liu, Changxing Ding (2024), "
    "https://arxiv.org/abs/2410.09823"
)
