"""TeZO."""

TITLE = (
    "TeZO: Empowering the Low-Rankness on the Temporal Dimension in the Zeroth-Order "
    "Optimization for Fine-tuning LLMs"
)
SOURCE = (
    "Yan Sun, Tiansheng Huang, Liang Ding, Li Shen, Dacheng Tao (2025), "
    "https://arxiv.org/abs/2501.19057"
)
