"""A made-up installation as large as wanted: what benchmarks and operators measure on (`manage.py generate_load`)."""
