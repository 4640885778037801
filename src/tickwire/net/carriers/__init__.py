"""Three ways to bring the parser its bytes; they differ in who reads and into what memory."""
