"""The words of Packhorse as frozen values, without input or output."""
