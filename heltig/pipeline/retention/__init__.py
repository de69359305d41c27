"""What is not kept any more, and what came in wrongly: removed in small transactions."""
