FROM app:1
