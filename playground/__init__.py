"""The playground: pages over the engine. `app.py` is Gradio's, `dashboard.py` is Streamlit's."""
