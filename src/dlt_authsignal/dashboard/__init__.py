"""The dashboard and the report: pages of KPIs, drawn from the customer's own database."""
