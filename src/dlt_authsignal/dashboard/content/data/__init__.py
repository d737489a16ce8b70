"""What pages are computed from: cubes of KPIs, and facts beside them."""
