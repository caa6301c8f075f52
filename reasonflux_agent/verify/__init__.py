"""What is right: grading of answers, verifiers of solutions, and programs in isolation."""
