"""TeZO: Empowering the Low-Rankness on the Temporal Dimension (Sun et al.), claim by claim."""
