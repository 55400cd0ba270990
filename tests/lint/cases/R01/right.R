cores <- parallelly::availableCores()
