"""x"""
def sections(result): return {}
