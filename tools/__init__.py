"""The care of the repository: student copies, the course table, the address, guards of notebooks and prose."""
