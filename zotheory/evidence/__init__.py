"""Checks: how evidence of each kind is obtained for any claim that states a formula."""
