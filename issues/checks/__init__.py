"""What is known of links: looks kept, videos and plans looked at in the background."""
