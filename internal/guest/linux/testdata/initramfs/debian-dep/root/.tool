most only
