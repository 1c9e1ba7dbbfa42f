"""Names of the optimisers that a recipe may ask for, as timm knows them."""

# What timm's factory makes without a package or a card of its own, and that steps on plain
# gradients: without bnb*, fused* (CUDA), kron* (a matrix as large as the weights) and adahessian.
OPTIMIZERS = (
    *("adabelief", "adadelta", "adafactor", "adafactorbv", "adafactorbvc", "adagrad", "adam"),
    *("adamax", "adamc", "adamp", "adamuon", "adamw", "adamwlegacy", "adan", "adanw", "adopt"),
    *("adoptc", "adoptw", "cadafactor", "cadafactorbv", "cadafactorbvc", "cadamc", "cadamp"),
    *("cadamw", "cadan", "cadanw", "cadopt", "cadoptc", "cadoptw", "clamb", "clambw", "claprop"),
    *("clion", "clionc", "cmars", "cnadamc", "cnadamw", "crmsproptf", "csgdc", "csgdp", "csgdw"),
    *("lamb", "lambc", "lambcd", "lambcw", "lambw", "laprop", "lapropc", "larc", "lars", "lion"),
    *("lionc", "madgrad", "madgradw", "mars", "momentum", "muon", "nadam", "nadamc"),
    *("nadamlegacy", "nadamuon", "nadamw", "nesterov", "nesterovw", "nlarc", "nlars", "nmuon"),
    *("novograd", "novogradc", "novogradw", "radabelief", "radam", "radamlegacy", "radamw"),
    *("rmsprop", "rmsproptf", "rmsproptfc", "rmsproptfw", "sgd", "sgdc", "sgdp", "sgdw"),
)
