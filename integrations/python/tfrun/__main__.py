from tfrun import main

main()
