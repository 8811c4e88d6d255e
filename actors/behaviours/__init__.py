"""Generic machinery, apart from the company that uses it, as OTP keeps behaviours apart."""
