"""What Authsignal's data says, in marimo: `marimo run --token authsignal_marimo.py`, or `marimo edit` to change it."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="Authsignal")


@app.cell
def settings():
    PIPELINE = "authsignal_demo"  # your own: "authsignal_pipeline"
    return (PIPELINE,)


@app.cell
def data(PIPELINE):
    import dlt
    import marimo as mo

    pipeline = dlt.pipeline(PIPELINE)
    dataset = pipeline.dataset()
    counts = dataset.row_counts().df().set_index("table_name")["row_count"]
    mo.vstack(
        [
            mo.md("# What Authsignal's data says"),
            mo.hstack(
                [mo.stat(f"{counts[name]:,}", label=name) for name in counts.index if counts[name]],
                justify="start",
                wrap=True,
            ),
        ]
    )
    return dataset, mo, pipeline


@app.cell
def choice(mo):
    kpis = {
        "Passkey inventory": "passkey_inventory",
        "MFA coverage": "mfa_coverage",
        "Challenge success rate": "challenge_success_rate",
        "Drop-off rate": "drop_off_rate",
        "Passkey usage rate": "passkey_usage_rate",
        "Time to authenticate": "seconds_to_authenticate",
    }
    kpi = mo.ui.dropdown(kpis, value="Passkey inventory", label="KPI")
    kpi
    return (kpi,)


@app.cell
def chart(kpi, mo, pipeline):
    query = f"""
        select trim(measure || ' ' || replace(dimension_value, 'all', '')) as slice, numerator, denominator, value, unit
        from kpi_{kpi.value}
        where period_grain = 'all' and dimension in ('all', 'action_code', 'provider')
        order by value
    """
    with pipeline.sql_client() as client, client.execute_query(query) as cursor:
        slices = cursor.df()
    axis = slices.plot.barh(x="slice", y="value", legend=False, title=kpi.selected_key, ylabel="", figsize=(7, 3.5))
    if "ratio" in set(slices["unit"]):
        axis.xaxis.set_major_formatter("{x:.0%}")
    axis.set_xlabel(slices["unit"].iloc[0] if len(slices) else "")
    axis.figure.tight_layout()
    mo.vstack([axis, mo.ui.table(slices.iloc[::-1], selection=None)])
    return


@app.cell
def people(dataset, mo):
    least_safe = dataset("""
        select u.user_id, count(*) as sign_ins
        from users as u
        join user_actions as a on a.user_id = u.user_id
        where a.action_code = 'signIn' and a.state = 'CHALLENGE_SUCCEEDED'
          and u.deleted_at is null and u.user_id not in (
            select user_id from user_authenticators where verification_method = 'PASSKEY' and deleted_at is null)
        group by u.user_id
        order by sign_ins desc, u.user_id
        limit 50
    """).df()
    mo.vstack([mo.md("## Without a passkey, by how often they sign in"), mo.ui.table(least_safe, selection=None)])
    return


if __name__ == "__main__":
    app.run()
